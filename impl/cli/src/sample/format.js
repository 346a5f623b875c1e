// How times and counts are written for people.

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const steps = [
  ["second", 1_000, 60_000],
  ["minute", 60_000, 3_600_000],
  ["hour", 3_600_000, 86_400_000],
  ["day", 86_400_000, Infinity],
];

/** "3 minutes ago", for Unix milliseconds. */
export function ago(at, now = Date.now()) {
  const age = Math.max(0, now - at);
  const [unit, size] = steps.find(([, , limit]) => age < limit);
  return relative.format(-Math.floor(age / size), unit);
}

/** "1 card", "2 cards". */
export function counted(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
