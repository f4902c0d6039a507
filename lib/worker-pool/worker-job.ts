/** What a worker can be asked: `kind` tells the jobs of a pool apart. */
export interface AnyJob {
  readonly kind: string;
}

/** What a worker posts when it is done with a job. */
export type WorkerAnswer =
  | { readonly result: unknown }
  | {
      readonly error: {
        readonly code: number;
        readonly message: string;
        /** Of an error of Node, since causes do not cross threads. */
        readonly errno: string | undefined;
      };
    };
