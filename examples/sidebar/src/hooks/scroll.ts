import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Message } from "../api/types.ts";

const NEAR = 80; // within so many pixels the view counts as at the end

/**
 * Keeps the scroll position: at the end while new text arrives, at the same message while a page is added above it.
 * `wanted` is the sequence of a message to scroll to; earlier pages are loaded until it is there.
 */
export function useScroll(
  messages: Message[],
  outgoing: number,
  above: string | null,
  loadEarlier: (before: string) => Promise<void>,
  wanted: number | null,
) {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLOListElement>(null);
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
    if (end) current.scrollTop = current.scrollHeight;
    else if (messages[0]?.id !== first) current.scrollTop += current.scrollHeight - height;
    last.current = { ...last.current, first: messages[0]?.id, height: current.scrollHeight };
  }, [messages]);

  useEffect(() => {
    if (outgoing) toEnd(); // the user wants to see what was sent
  }, [outgoing, toEnd]);

  useEffect(() => {
    const { current } = box;
    if (!current) return;
    const measure = () => {
      const end = current.scrollHeight - current.scrollTop - current.clientHeight < NEAR;
      last.current.end = end;
      setAtEnd(end);
    };
    const grown = new ResizeObserver(() => {
      if (last.current.end) current.scrollTop = current.scrollHeight;
      last.current.height = current.scrollHeight;
    });
    measure();
    grown.observe(current);
    if (content.current) grown.observe(content.current);
    current.addEventListener("scroll", measure, { passive: true });
    return () => {
      grown.disconnect();
      current.removeEventListener("scroll", measure);
    };
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
    if (!found) return earlier();
    last.current.end = false;
    document.getElementById(`message-${wanted}`)?.scrollIntoView({ block: "center" });
  }, [wanted, found, earlier]);

  return { box, content, top, atEnd, earlier, toEnd };
}
