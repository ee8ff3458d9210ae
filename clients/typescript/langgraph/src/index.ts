export { ColloquySaver, type SaverOptions } from "./saver.ts";
export { ColloquyStore } from "./store.ts";
