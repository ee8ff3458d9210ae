import { ConversationStore } from "@colloquy/client";
import { expect, test } from "vitest";
import { clientOf, newUser } from "../../tests/users.ts";
import { shown } from "../src/messages.ts";

test("a call of an answer that is being written shows its approval and its result, which come beside its message", async () => {
  const user = newUser();
  const client = clientOf(user);
  const { id } = await client.createSession();
  const answering = await client.answer(id, { partsFormat: "AI_SDK", pause: 0 });
  answering.writeParts({ type: "tool-input-available", toolCallId: "c1", toolName: "book", input: { seats: 2 } });
  const [mine, strangers] = [user, newUser("stranger")].map((owner) => new ConversationStore(clientOf(owner), id));
  const closing = [mine!, strangers!].map((store) => store.subscribe(() => {}));
  const likes = () => {
    const { messages, approvals } = mine!.getSnapshot();
    return shown(messages, approvals);
  };
  const call = () => likes()[0]?.content[0];
  await expect.poll(call).toMatchObject({ type: "tool-call", toolCallId: "c1", args: { seats: 2 } });
  const approval = await client.requestApproval({ messageId: answering.message.id, toolUseId: "c1", notes: "40 EUR" });
  await expect.poll(call).toMatchObject({ approval: { id: approval.id, prompt: "40 EUR" } });
  await client.decideApproval(approval.id, "APPROVE");
  await expect.poll(call).toMatchObject({ approval: { id: approval.id, approved: true } });
  const result = [{ type: "tool_result", tool_use_id: "c1", content: "12A, 12B" }];
  await client.appendMessage(id, { role: "TOOL", raw: JSON.stringify({ role: "user", content: result }) });
  await expect.poll(call).toMatchObject({ result: "12A, 12B" });
  expect(likes()).toMatchObject([{ status: { type: "running" } }]);
  expect(strangers!.getSnapshot()).toMatchObject({ status: "absent", messages: [] });
  await answering.finish();
  const content = [{ result: "12A, 12B", approval: { approved: true } }];
  await expect.poll(likes).toMatchObject([{ status: { type: "complete" }, content }]);
  for (const close of closing) close();
});
