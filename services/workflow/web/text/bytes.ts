const units = ["kB", "MB", "GB", "TB"];

/** A size for people, in powers of 1,000: "512 bytes", "1.5 MB". */
export function formatBytes(sizeBytes: number): string {
  if (sizeBytes === 1) return "1 byte";
  if (sizeBytes < 1_000) return `${sizeBytes} bytes`;
  let [value, unit] = [sizeBytes / 1_000, 0];
  // Not 999.96, which would be written as 1000.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  const digits = value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit] ?? ""}`;
}
