import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Message } from "../api/types.ts";

const NEAR = 80; // pixels from the end that still count as being there

/**
 * Keeps the eye where it is: at the end while new text comes, at the same message while a page is put above it.
 * `wanted` is the sequence of a message to go to; pages above are loaded until it is there.
 */
export function useScroll(
  messages: Message[],
  outgoing: number,
  above: string | null,
  loadEarlier: (before: string) => Promise<void>,
  wanted: number | null,
) {
  const box = useRef<HTMLDivElement>(null);
  const top = useRef<HTMLButtonElement>(null);
  const [atEnd, setAtEnd] = useState(true);
  const last = useRef({ first: messages[0]?.id, height: 0, end: true });
  const loading = useRef<string>(undefined);

  const earlier = useCallback(() => {
    if (!above || loading.current === above) return;
    loading.current = above;
    void loadEarlier(above);
  }, [above, loadEarlier]);

  const toEnd = useCallback(() => {
    const { current } = box;
    current?.scrollTo({ top: current.scrollHeight });
  }, []);

  useLayoutEffect(() => {
    const { current } = box;
    if (!current) return;
    const { first, height, end } = last.current;
    if (messages[0]?.id !== first) current.scrollTop += current.scrollHeight - height;
    else if (end) current.scrollTop = current.scrollHeight;
    last.current = { ...last.current, first: messages[0]?.id, height: current.scrollHeight };
  }, [messages, outgoing]);

  useEffect(() => {
    if (outgoing) toEnd(); // whoever sends wants to see it
  }, [outgoing, toEnd]);

  useEffect(() => {
    const { current } = box;
    if (!current) return;
    const measure = () => {
      const end = current.scrollHeight - current.scrollTop - current.clientHeight < NEAR;
      last.current.end = end;
      setAtEnd(end);
    };
    measure();
    current.addEventListener("scroll", measure, { passive: true });
    return () => current.removeEventListener("scroll", measure);
  }, []);

  useEffect(() => {
    if (!top.current) return;
    const seen = new IntersectionObserver(([entry]) => entry?.isIntersecting && earlier(), { root: box.current });
    seen.observe(top.current);
    return () => seen.disconnect();
  }, [earlier]);

  const found = wanted !== null && messages.some(({ sequence }) => sequence === wanted);
  useEffect(() => {
    if (wanted === null) return;
    if (found) document.getElementById(`message-${wanted}`)?.scrollIntoView({ block: "center" });
    else earlier();
  }, [wanted, found, earlier]);

  return { box, top, atEnd, earlier, toEnd };
}
