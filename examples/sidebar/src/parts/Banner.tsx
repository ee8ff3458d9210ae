import { useOffline } from "../hooks/offline.ts";

const OFFLINE = "No connection. What you write is sent when it is back; nothing is lost.";
const EXPIRED = "This page's token has ended. Reload the page for a new one.";

export function Banner({ expired }: { expired: boolean }) {
  const isOffline = useOffline();
  return (
    <div role="alert" className="banner-place">
      {(expired || isOffline) && <p className="banner">{expired ? EXPIRED : OFFLINE}</p>}
    </div>
  );
}
