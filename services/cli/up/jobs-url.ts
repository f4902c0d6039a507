/** Where jobs that are served at "host:port" are found on this machine. */
export function jobsUrl(listen: string): string {
  // Where all addresses are served, one of them is as good as another.
  const address = listen
    .replace(/^0\.0\.0\.0:/, "127.0.0.1:")
    .replace(/^\[::\]:/, "[::1]:");
  return `http://${address}`;
}
