// The filters of LangGraph's stores: comparisons of values, and patterns of namespaces.

import type { MatchCondition } from "@langchain/langgraph-checkpoint";

type Comparison = (found: unknown, operand: unknown) => boolean;

const numbers = (compare: (found: number, operand: number) => boolean): Comparison => {
  return (found, operand) => found !== undefined && found !== null && compare(Number(found), Number(operand));
};
const OPERATORS: Record<string, Comparison> = {
  $eq: equal,
  $ne: (found, operand) => !equal(found, operand),
  $gt: numbers((found, operand) => found > operand),
  $gte: numbers((found, operand) => found >= operand),
  $lt: numbers((found, operand) => found < operand),
  $lte: numbers((found, operand) => found <= operand),
  $in: (found, operand) => Array.isArray(operand) && operand.some((each) => equal(found, each)),
  $nin: (found, operand) => !Array.isArray(operand) || !operand.some((each) => equal(found, each)),
};

/** True if each field of the filter matches the field of the value. Throws for an operator that there is not. */
export function matches(value: Record<string, unknown>, filter: Record<string, unknown>): boolean {
  return Object.entries(filter).every(([name, expected]) => matchesField(value[name], expected));
}

/** True if the namespace begins or ends with the pattern, in which `*` stands for any label. */
export function matchesNamespace({ matchType, path }: MatchCondition, namespace: string[]): boolean {
  if (namespace.length < path.length) return false;
  const start = matchType === "suffix" ? namespace.length - path.length : 0;
  return path.every((expected, at) => expected === "*" || expected === namespace[start + at]);
}

function matchesField(found: unknown, expected: unknown): boolean {
  const operators = isObject(expected) ? Object.entries(expected).filter(([name]) => name.startsWith("$")) : [];
  if (!operators.length) return equal(found, expected);
  return operators.every(([name, operand]) => {
    const compare = OPERATORS[name];
    if (!compare) throw new Error(`Unsupported operator: ${name}`);
    return compare(found, operand);
  });
}

/** True if the two are the same JSON value. */
function equal(one: unknown, other: unknown): boolean {
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((each, at) => equal(each, other[at]));
  }
  if (!isObject(one) || !isObject(other)) return one === other;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => equal(one[name], other[name]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
