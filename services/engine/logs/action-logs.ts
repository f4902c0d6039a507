import type { Digest } from "../../../lib/digest/index.js";
import { LiveLog } from "./live-log.js";

/** What an action writes, for who follows it. */
export class ActionLogs {
  readonly stdout: LiveLog = new LiveLog();
  readonly stderr: LiveLog = new LiveLog();

  /** Ends both, where they have not ended; see LiveLog.end(). */
  end(digests?: { readonly stdout: Digest; readonly stderr: Digest }): void {
    this.stdout.end(digests?.stdout);
    this.stderr.end(digests?.stderr);
  }
}
