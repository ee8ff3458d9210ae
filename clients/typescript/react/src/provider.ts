import { type ColloquyClient, Outbox } from "@colloquy/client";
import { type ReactNode, createContext, createElement, useContext, useMemo } from "react";

interface Context {
  client: ColloquyClient;
  outbox: Outbox;
}

const ColloquyContext = createContext<Context | null>(null);

export interface ColloquyProviderProps {
  client: ColloquyClient;
  /** The outbox of `useConversation`; without it one that a reload empties. */
  outbox?: Outbox;
  children?: ReactNode;
}

/** Gives the hooks below it their client and outbox. */
export function ColloquyProvider({ client, outbox, children }: ColloquyProviderProps) {
  const context = useMemo(() => ({ client, outbox: outbox ?? new Outbox(client) }), [client, outbox]);
  return createElement(ColloquyContext.Provider, { value: context }, children);
}

export function useColloquy(): Context {
  const context = useContext(ColloquyContext);
  if (!context) throw new Error("A hook of @colloquy/react needs a ColloquyProvider above it.");
  return context;
}

/** The client of the provider, for everything that has no hook. */
export function useClient(): ColloquyClient {
  return useColloquy().client;
}
