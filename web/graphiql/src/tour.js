/** Points the other tabs at a session just created, so that they go on in it without any editing. */
export function follow(tabs, { session, cursor }) {
  for (const tab of tabs) {
    const variables = parsed(tab.variables);
    const named = [variables, variables?.input].find((value) => value && "sessionId" in value);
    if (!named) continue;
    named.sessionId = session.id;
    if ("after" in named) named.after = cursor;
    tab.variables = JSON.stringify(variables, null, 2);
  }
}

/** Tabs kept from an earlier visit name a session of that visit: they go when the server offers others. */
export function forgetOther(edition, [first]) {
  if (localStorage.getItem("colloquy:edition") === edition) return;
  localStorage.removeItem("graphiql:tabState");
  // GraphiQL opens with what is kept here, and not with the variables that the first tab came with.
  for (const name of ["query", "variables"]) localStorage.setItem(`graphiql:${name}`, first[name]);
  localStorage.setItem("colloquy:edition", edition);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
