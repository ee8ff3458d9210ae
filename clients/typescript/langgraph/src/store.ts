import type { ColloquyClient } from "@colloquy/client";
import {
  BaseStore,
  type ListNamespacesOperation,
  type Operation,
  type OperationResults,
  type PutOperation,
} from "@langchain/langgraph-checkpoint";
import * as memories from "./memories.ts";

/**
 * A long-term memory that stores the items of one owner, the subject of the client's token, in Colloquy. `query` finds
 * the items of which a string contains it, in upper or lower case; there are no embeddings, and `index` is ignored. A name
 * that no record can have is an InvalidNamespaceError; every other failure is a ColloquyError.
 */
export class ColloquyStore extends BaseStore {
  constructor(readonly client: ColloquyClient) {
    super();
  }

  /** The results. Reads come before writes; of two writes of a key the last one stays. */
  async batch<Op extends readonly Operation[]>(operations: Op): Promise<OperationResults<Op>> {
    const results = await Promise.all(operations.map((operation) => this.read(operation)));
    const puts = new Map<string, PutOperation>();
    for (const operation of operations) {
      if (isPut(operation)) puts.set(JSON.stringify([operation.namespace, operation.key]), operation);
    }
    await memories.write(this.client, [...puts.values()]);
    return results as OperationResults<Op>;
  }

  private async read(operation: Operation): Promise<unknown> {
    if ("namespacePrefix" in operation) return memories.search(this.client, operation);
    if (isPut(operation)) return undefined;
    if ("key" in operation) return memories.get(this.client, operation);
    return memories.namespaces(this.client, operation as ListNamespacesOperation);
  }
}

function isPut(operation: Operation): operation is PutOperation {
  return "value" in operation;
}
