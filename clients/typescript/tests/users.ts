// Owners with a token each, and clients for them.

import { type ClientOptions, ColloquyClient, webSocket } from "@colloquy/client";
import { createHmac, randomUUID } from "node:crypto";
import { inject } from "vitest";
import WebSocket from "ws";

/** A token of an owner that expires after so many seconds. */
export function tokenOf(sub: string, seconds = 3600): string {
  const now = Math.floor(Date.now() / 1000);
  const parts = [{ alg: "HS256", typ: "JWT" }, { sub, scope: "chat:read chat:write", iat: now, exp: now + seconds }];
  const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${signed}.${createHmac("sha256", inject("secret")).update(signed).digest("base64url")}`;
}

export const newUser = (name = "ann") => `${name}-${randomUUID()}`;

export const sockets = () => webSocket({ webSocketImpl: WebSocket });

/** A client of one owner over WebSockets; every option can be replaced. */
export function clientOf(user: string, options: Partial<ClientOptions> = {}): ColloquyClient {
  return new ColloquyClient({ url: inject("url"), token: tokenOf(user), live: sockets(), ...options });
}
