import { type FormEvent, type KeyboardEvent, type ReactNode, useLayoutEffect, useRef, useState } from "react";
import { Icon } from "./icons.tsx";

interface Props {
  onSend: (text: string) => void;
  /** Stops the answer that is being written; nothing to stop: undefined. */
  onStop: (() => void) | undefined;
  children?: ReactNode;
}

/** Enter sends, Shift+Enter begins a new line, Escape stops an answer. */
export function Composer({ onSend, onStop, children }: Props) {
  const [text, setText] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);

  useLayoutEffect(() => {
    const { current } = field;
    if (!current) return;
    current.style.height = "auto"; // so that scrollHeight is the height of the text
    current.style.height = `${current.scrollHeight}px`;
  }, [text]);

  function send(event?: FormEvent) {
    event?.preventDefault();
    if (!text.trim()) return;
    onSend(text.trim());
    setText("");
    field.current?.focus();
  }

  function pressed(event: KeyboardEvent) {
    if (event.key === "Escape") onStop?.();
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  }

  return (
    <form className="composer" onSubmit={send}>
      <div className="composer-field">
        <textarea
          id="message"
          ref={field}
          rows={1}
          aria-label="Message"
          placeholder="Write a message"
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={pressed}
        />
        {onStop && (
          <button type="button" className="round stop" onClick={onStop} title="Stop the answer (Escape)">
            <Icon name="stop" />
            <span className="unseen">Stop the answer</span>
          </button>
        )}
        <button type="submit" className="round" disabled={!text.trim()} title="Send (Enter)">
          <Icon name="send" />
          <span className="unseen">Send</span>
        </button>
      </div>
      {children}
    </form>
  );
}
