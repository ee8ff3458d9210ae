import { threadListAdapter } from "@colloquy/assistant-ui";
import { describe, expect, test } from "vitest";
import { clientOf, newUser } from "../../tests/users.ts";
import { textOf, userMessage } from "./threads.ts";

describe("the list of threads", () => {
  test("is renamed, archived, brought back and deleted, by its owner only", async () => {
    const client = clientOf(newUser());
    const [threads, strangers] = [threadListAdapter(client), threadListAdapter(clientOf(newUser("stranger")))];
    const { remoteId } = await threads.initialize("__LOCALID_1", { custom: { project: "Lisbon" } });
    expect(await threads.initialize("__LOCALID_1", { custom: { project: "Lisbon" } })).toEqual({ remoteId });
    const shown = async () => (await threads.list()).threads;
    expect(await shown()).toMatchObject([{ remoteId, status: "regular", title: undefined, custom: { project: "Lisbon" } }]);
    await threads.rename(remoteId, "The journey");
    expect(await threads.fetch(remoteId)).toMatchObject({ remoteId, title: "The journey", status: "regular" });
    await threads.updateCustom!(remoteId, { project: "Porto" });
    await threads.archive(remoteId);
    expect(await shown()).toMatchObject([{ remoteId, status: "archived", custom: { project: "Porto" } }]);
    expect((await strangers.list()).threads).toEqual([]);
    for (const refused of [
      () => strangers.fetch(remoteId),
      () => strangers.rename(remoteId, "Mine"),
      () => strangers.unarchive!(remoteId),
      () => strangers.delete(remoteId),
    ]) {
      await expect(refused()).rejects.toMatchObject({ code: "NOT_FOUND" });
    }
    await threads.unarchive!(remoteId);
    expect(await shown()).toMatchObject([{ remoteId, status: "regular", title: "The journey" }]);
    await threads.delete(remoteId);
    expect(await shown()).toEqual([]);
    await expect(threads.fetch(remoteId)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await client.restoreSession(remoteId)).title).toBe("The journey");
  });

  test("has regular and archived threads page by page, of its agent type only", async () => {
    const client = clientOf(newUser());
    const threads = threadListAdapter(client, { agentType: "guide", pageSize: 2, deleteMode: "HARD" });
    await client.createSession({ title: "of another type" });
    const ids: string[] = [];
    for (let number = 0; number < 5; number++) {
      const { remoteId } = await threads.initialize(`thread ${number}`);
      ids.push(remoteId);
      if (number % 2) await threads.archive(remoteId);
    }
    const found: Awaited<ReturnType<typeof threads.list>>["threads"] = [];
    for (let after: string | undefined, first = true; first || after; first = false) {
      const page = await threads.list(after === undefined ? {} : { after });
      found.push(...page.threads);
      after = page.nextCursor;
    }
    expect(found.map(({ remoteId }) => remoteId).sort()).toEqual([...ids].sort());
    expect(found.filter(({ status }) => status === "archived")).toHaveLength(2);
    await threads.delete(ids[0]!);
    await expect(client.restoreSession(ids[0]!)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("has the title that the server makes of the first message, or one of the application", async () => {
    const client = clientOf(newUser());
    const threads = threadListAdapter(client);
    const { remoteId } = await threads.initialize("a");
    const words = "When does the very first train from Lisbon to Porto leave on a Sunday?";
    expect(await textOf(await threads.generateTitle(remoteId, [userMessage("m", words)]))).toBe(words.slice(0, 60));
    await client.appendMessage(remoteId, { role: "USER", text: words });
    const [listed] = (await threads.list()).threads;
    expect(await textOf(await threads.generateTitle(remoteId, []))).toBe(listed!.title);
    expect(listed!.title).toBeTruthy();
    const titled = threadListAdapter(client, { title: async ([first]) => `About ${first!.id}` });
    expect(await textOf(await titled.generateTitle(remoteId, [userMessage("trains", words)]))).toBe("About trains");
    expect((await threads.fetch(remoteId)).title).toBe("About trains");
  });
});
