import { Chat, useChat } from "@ai-sdk/react";
import { ColloquyChatTransport, followChat } from "@colloquy/ai-sdk";
import { ColloquyClient } from "@colloquy/client";
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

const client = new ColloquyClient({ url: "/graphql", token: import.meta.env.COLLOQUY_TOKEN });

// The address of the page names the session, so that a reload or another window opens it again.
const id = location.hash.slice(1) || (await client.createSession({ title: "Trains" })).id;
location.hash = id;

const chat = new Chat({ id, transport: new ColloquyChatTransport({ client, api: "/api/chat" }) });

function App() {
  const { messages, sendMessage, status, stop } = useChat({ chat });
  const [text, setText] = useState("");
  useEffect(() => followChat(chat, { client, sessionId: id }), []);
  return (
    <>
      {messages.map(({ id, role, parts }) => (
        <article key={id} aria-label={role}>
          {parts.map((part, index) => {
            if (part.type === "text") return <p key={index}>{part.text}</p>;
            if (part.type === "reasoning") return <em key={index}>{part.text}</em>;
            if (part.type === "tool-timetable") return <pre key={index}>{JSON.stringify([part.input, part.output])}</pre>;
          })}
        </article>
      ))}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void sendMessage({ text });
          setText("");
        }}
      >
        <input aria-label="Message" value={text} onChange={(event) => setText(event.target.value)} />
        <button>Send</button>
        <button type="button" onClick={stop} disabled={status === "ready"}>
          Stop
        </button>
      </form>
    </>
  );
}

createRoot(document.getElementById("chat")!).render(<App />);
