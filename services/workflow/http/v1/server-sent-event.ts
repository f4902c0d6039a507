/**
 * An event of a server-sent event stream. One without data has no effect but
 * that its id is the last one. JSON has no line ends, so its data is one line.
 */
export function serverSentEvent({
  event,
  data,
  id,
}: {
  event?: string | undefined;
  data?: unknown;
  id?: string | undefined;
}): string {
  const lines: string[] = [];
  if (id !== undefined) lines.push(`id: ${id}`);
  if (event !== undefined) lines.push(`event: ${event}`);
  if (data !== undefined) lines.push(`data: ${JSON.stringify(data)}`);
  return `${lines.join("\n")}\n\n`;
}
