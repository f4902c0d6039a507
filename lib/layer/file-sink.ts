/**
 * Receives the files of a layer while it is read, one after the other: begin,
 * any number of writes, end. A promise that is returned is awaited before the
 * next call; undefined costs nothing, so that a worker thread can write
 * synchronously. What a sink throws ends the reading; its code is kept.
 *
 * Nothing is verified before readLayer returns: files of a layer that turns
 * out to be wrong were seen too. Their content has the hash that `end` names
 * all the same.
 */
export interface FileSink {
  begin(file: {
    readonly sizeBytes: number;
    readonly mode: number;
    readonly mtimeSeconds: number;
  }): void | Promise<void>;
  /**
   * Between begin and end the chunks add up to `sizeBytes`. The chunk is valid
   * until the call returns, or until its promise is settled.
   */
  write(chunk: Uint8Array): void | Promise<void>;
  /** The file is complete; 64 hexadecimal digits. */
  end(sha256: string): void | Promise<void>;
}
