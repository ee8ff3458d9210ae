import { type FormEvent, useState } from "react";

export function TokenForm({ onToken }: { onToken: (token: string) => void }) {
  const [token, setToken] = useState("");
  function submit(event: FormEvent) {
    event.preventDefault();
    if (token.trim()) onToken(token.trim());
  }
  return (
    <main className="token">
      <h1>Colloquy</h1>
      <p>
        This page got no token: the server writes one into it in development mode only, and only under
        <code> localhost</code> or <code>127.0.0.1</code>. <code>colloquy token --sub you</code> prints one.
      </p>
      <form onSubmit={submit}>
        <label htmlFor="token">Token</label>
        <input id="token" value={token} onChange={(event) => setToken(event.target.value)} autoComplete="off" />
        <button type="submit" className="primary">Open</button>
      </form>
    </main>
  );
}
