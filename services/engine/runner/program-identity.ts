import {
  clearDirectory,
  endLeftovers,
  type Leftovers,
} from "./program-leftovers.js";

/** As whom a program runs, and how its end is made certain. */
export interface ChosenIdentity {
  /** Unset: as we do. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** It is the helper, which tells its own faults. */
  readonly isHelper: boolean;
  /** What it leaves running; unless unknown, that is ended. */
  readonly leftovers: Leftovers;
}

/** How identities are chosen. */
export interface ProgramIdentityOptions {
  /** Absolute path of the helper, which actions of a router name. */
  readonly helperPath?: string | undefined;
  /**
   * When we are root: the uid of slot 0; every slot has its own, so that what
   * an action leaves behind can be told from all else.
   */
  readonly firstUid?: number | undefined;
  readonly slots: number;
}

/**
 * Chooses as whom programs run. The helper keeps our rights, as it has to
 * make namespaces, but only in a command that the router wrote: a client's
 * own could give it other options. When we are root every other command runs
 * as its slot's own user, and what it leaves behind is killed by that.
 */
export class ProgramIdentity {
  readonly #options: ProgramIdentityOptions;

  constructor(options: ProgramIdentityOptions) {
    this.#options = options;
  }

  /** For a program that runs in a slot's turn, in this build directory. */
  choose(
    argv: readonly string[],
    run: { isRewritten: boolean; slot: number; buildDirectory: string },
  ): ChosenIdentity {
    const { helperPath, firstUid } = this.#options;
    const isHelper = helperPath !== undefined && argv[0] === helperPath;
    if (run.isRewritten && isHelper) {
      const leftovers = {
        type: "directory",
        path: run.buildDirectory,
      } as const;
      return { isHelper, leftovers };
    }
    if (firstUid === undefined) {
      return { isHelper: false, leftovers: { type: "unknown" } };
    }
    const uid = firstUid + run.slot;
    return {
      user: { uid, gid: uid },
      isHelper: false,
      leftovers: { type: "users", first: uid, last: uid },
    };
  }

  /** Kills what the actions of an earlier process of ours left running. */
  async killAllLeftovers(buildDirectory: string): Promise<void> {
    const { firstUid, slots } = this.#options;
    if (firstUid !== undefined) {
      const last = firstUid + slots - 1;
      await endLeftovers({ type: "users", first: firstUid, last }, true);
    }
    await clearDirectory(buildDirectory);
  }
}
