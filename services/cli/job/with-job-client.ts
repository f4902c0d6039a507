import { JobHttpClient } from "./client/job-http-client.js";
import type { JobCommandContext } from "./job-command.js";
import { chooseServer } from "./job-settings.js";
import { readToken } from "./read-token-file.js";

/** Works with a client of the server that was named, and closes it. */
export async function withJobClient(
  values: {
    readonly server?: string | undefined;
    readonly "token-file"?: string | undefined;
  },
  { env, signal, say }: JobCommandContext,
  work: (client: JobHttpClient) => Promise<number>,
): Promise<number> {
  const server = chooseServer(values.server, env);
  const token = await readToken(values["token-file"], env);
  if (token !== undefined && !isProtected(server)) {
    say(
      `berth: the token goes to "${server.origin}" for all to read: use https`,
    );
  }
  const client = new JobHttpClient({ server, token, signal });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

function isProtected({ protocol, hostname }: URL): boolean {
  return (
    protocol === "https:" ||
    hostname === "localhost" ||
    hostname === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname)
  );
}
