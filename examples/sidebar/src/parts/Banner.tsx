import type { Api } from "../api/client.ts";
import { useValue } from "../hooks/value.ts";

const WORDS = {
  down: "No connection. What you write is sent when it is back; nothing is lost.",
  expired: "This page's token has ended. Reload the page for a new one.",
};

export function Banner({ api }: { api: Api }) {
  const link = useValue(api.link);
  return (
    <div role="alert" className="banner-place">
      {(link === "down" || link === "expired") && <p className="banner">{WORDS[link]}</p>}
    </div>
  );
}
