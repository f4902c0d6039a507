import { Code, StatusError } from "../status/index.js";

/**
 * How long an upload may bring nothing, in milliseconds: as long as Bazel by
 * default waits for an answer (--remote_timeout). A client that is gone
 * without a word would else hold a file and a place for ever.
 */
export const defaultUploadIdleMs = 60_000;

/**
 * The messages of a client. Throws DeadlineExceeded when the next one is asked
 * for and does not come in time; how long the consumer takes does not count.
 */
export async function* withIdleDeadline<Message>(
  messages: AsyncIterable<Message>,
  idleMs: number,
): AsyncGenerator<Message> {
  const iterator = messages[Symbol.asyncIterator]();
  for (;;) {
    const next = await inTime(iterator.next(), idleMs);
    if (next.done === true) return;
    yield next.value;
  }
}

function inTime<T>(work: Promise<T>, idleMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new StatusError(
          Code.DeadlineExceeded,
          `The client has sent nothing for ${idleMs} ms`,
        ),
      );
    }, idleMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
