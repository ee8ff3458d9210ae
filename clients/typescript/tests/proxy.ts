// A TCP proxy before the server, whose connections a test cuts.

import { type AddressInfo, type Socket, connect, createServer } from "node:net";

export interface Proxy {
  /** The address of the GraphQL endpoint through the proxy. */
  url: string;
  /** How many connections there were. */
  connections: number;
  /** Cuts every connection. */
  cut(): void;
  /** While true, every new connection is cut at once. */
  down: boolean;
  close(): Promise<void>;
}

export async function proxyOf(target: string): Promise<Proxy> {
  const { hostname, port, pathname } = new URL(target);
  const open = new Set<Socket>();
  const server = createServer((client) => {
    proxy.connections++;
    if (proxy.down) return client.destroy();
    const upstream = connect(Number(port), hostname);
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        open.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy: Proxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    connections: 0,
    down: false,
    cut() {
      for (const socket of [...open]) socket.destroy();
    },
    close() {
      proxy.cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}
