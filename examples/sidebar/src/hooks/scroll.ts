import type { Conversation } from "@colloquy/react";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

const NEAR = 80; // within so many pixels the view counts as at the end

/**
 * Keeps the scroll position: at the end while new text arrives, at the same message while a page is added above it.
 * `wanted` is the sequence of a message to scroll to; earlier pages are loaded until it is there.
 */
export function useScroll({ messages, outgoing, hasEarlier, loadEarlier }: Conversation, wanted: number | null) {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLOListElement>(null);
  const top = useRef<HTMLButtonElement>(null);
  const [atEnd, setAtEnd] = useState(true);
  const first = messages[0]?.id;
  const last = useRef({ first, height: 0, end: true });

  const earlier = useCallback(() => {
    if (hasEarlier) loadEarlier().catch(() => {}); // the button stays
  }, [first, hasEarlier, loadEarlier]); // each page makes it new, so that what waits for the next one asks again

  const toEnd = useCallback(() => {
    const { current } = box;
    current?.scrollTo({ top: current.scrollHeight });
  }, []);

  useLayoutEffect(() => {
    const { current } = box;
    if (!current) return;
    const { height, end } = last.current;
    if (end) current.scrollTop = current.scrollHeight;
    else if (first !== last.current.first) current.scrollTop += current.scrollHeight - height;
    last.current = { ...last.current, first, height: current.scrollHeight };
  }, [messages, first]);

  const sending = outgoing.length;
  useEffect(() => {
    if (sending) toEnd(); // the user wants to see what was sent
  }, [sending, toEnd]);

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
