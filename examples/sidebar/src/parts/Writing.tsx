/** The sign that an answer is being written. */
export function Writing() {
  return (
    <span className="writing">
      <i />
      <i />
      <i />
      <span className="unseen">An answer is being written</span>
    </span>
  );
}
