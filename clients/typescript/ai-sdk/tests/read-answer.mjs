// Sends a question to a server of a chat as `useChat` does by default, and prints it with the answer that AI SDK makes
// of the stream. Arguments: the address, the id of the chat, a token.

import { DefaultChatTransport, readUIMessageStream } from "ai";

const [api, chatId, token] = process.argv.slice(2);
const transport = new DefaultChatTransport({ api, headers: { authorization: `Bearer ${token}` } });
const question = { id: "q1", role: "user", parts: [{ type: "text", text: "When does the train leave?" }] };
const stream = await transport.sendMessages({ chatId, messages: [question], trigger: "submit-message" });
let answer;
for await (const message of readUIMessageStream({ stream })) answer = message;
console.log(JSON.stringify({ question, answer }));
