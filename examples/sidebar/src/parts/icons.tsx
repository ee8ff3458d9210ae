const paths = {
  add: "M12 5v14M5 12h14",
  archive: "M4 8h16M5 8v10a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8M3.5 4h17v4h-17zM10 12h4",
  back: "M15 5l-7 7 7 7",
  check: "M5 12.5l4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6L6 18",
  down: "M12 5v14M6 13l6 6 6-6",
  pencil: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  restore: "M4 12a8 8 0 1 0 2.5-5.8M4 4v4h4",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16.2 16.2L20 20",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M8 8h8v8H8z",
  tool: "M14.5 6.5a4 4 0 0 0-5.2 5.2L4 17l3 3 5.300-5.300a4 4 0 0 0 5.200-5.200L15 12l-3-3z",
};

export function Icon({ name }: { name: keyof typeof paths }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      <path d="M6 4h20a4 4 0 0 1 4 4v11a4 4 0 0 1-4 4H15l-7 6v-6H6a4 4 0 0 1-4-4V8a4 4 0 0 1 4-4zM8 10v2.500h16V10zM8 15v2.500h10V15z" />
    </svg>
  );
}
