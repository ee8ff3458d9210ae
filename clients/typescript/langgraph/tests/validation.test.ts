// The tests of @langchain/langgraph-checkpoint-validation, unmodified.

import { ColloquySaver } from "@colloquy/langgraph";
import { deltaChannelHistoryTests, validate } from "@langchain/langgraph-checkpoint-validation";
import * as vitest from "vitest";
import { clientOf, newUser } from "../../tests/users.ts";

Object.assign(globalThis, vitest); // the package expects `describe` and the others as globals

const COLLOQUY = {
  checkpointerName: "@colloquy/langgraph",
  createCheckpointer: () => new ColloquySaver(clientOf(newUser("langgraph"))),
};
validate(COLLOQUY);
deltaChannelHistoryTests(COLLOQUY); // `validate` leaves these out
