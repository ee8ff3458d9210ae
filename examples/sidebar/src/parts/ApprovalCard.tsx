import type { Approval } from "@colloquy/client";
import type { Conversation } from "@colloquy/react";
import { useState } from "react";
import { announce } from "./Announcements.tsx";
import { Icon } from "./icons.tsx";

interface Props {
  approval: Approval;
  onDecide: Conversation["decide"];
}

/** An approval that the user decides or has decided. */
export function ApprovalCard({ approval, onDecide }: Props) {
  const [deciding, setDeciding] = useState(false);
  const [refused, setRefused] = useState("");
  const { id, status, notes, decidedBy } = approval;

  async function decide(decision: "APPROVE" | "REJECT") {
    setDeciding(true);
    try {
      await onDecide(id, decision);
      announce(decision === "APPROVE" ? "Approved" : "Rejected");
    } catch (error) {
      setRefused((error as Error).message);
    }
    setDeciding(false);
  }

  if (status !== "PENDING") {
    return (
      <p className="decided" data-status={status}>
        <Icon name={status === "APPROVED" ? "check" : "close"} />
        {WORDS[status]}
        {decidedBy && ` by ${decidedBy}`}
      </p>
    );
  }
  return (
    <div className="approval" role="group" aria-label="Approval">
      <p>{notes ?? "This needs your approval."}</p>
      <button type="button" className="primary" disabled={deciding} onClick={() => void decide("APPROVE")}>
        Approve
      </button>
      <button type="button" disabled={deciding} onClick={() => void decide("REJECT")}>
        Reject
      </button>
      {refused && (
        <p role="alert" className="mark">
          {refused}
        </p>
      )}
    </div>
  );
}

const WORDS = { APPROVED: "Approved", REJECTED: "Rejected", CANCELLED: "Withdrawn" };
