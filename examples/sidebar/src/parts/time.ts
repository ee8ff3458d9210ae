const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });

/** The time of today, the date of any other day. */
export function shortTime(moment: string): string {
  const date = new Date(moment);
  return date.toDateString() === new Date().toDateString() ? clock.format(date) : day.format(date);
}

export const clockTime = (moment: string) => clock.format(new Date(moment));

/** "Today", or the day in full. */
export function dayOf(moment: string): string {
  const date = new Date(moment);
  return date.toDateString() === new Date().toDateString() ? "Today" : whole.format(date);
}
