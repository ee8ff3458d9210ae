import { useConnection } from "@colloquy/react";
import { useEffect, useState } from "react";

const MOMENT_MS = 500; // a socket that is replaced is no news

/** True while the connection is lost for longer than a moment. */
export function useOffline(): boolean {
  const isLost = useConnection() === "connecting";
  const [isLong, setIsLong] = useState(false);
  useEffect(() => {
    if (!isLost) return setIsLong(false);
    const timer = setTimeout(() => setIsLong(true), MOMENT_MS);
    return () => clearTimeout(timer);
  }, [isLost]);
  return isLost && isLong;
}
