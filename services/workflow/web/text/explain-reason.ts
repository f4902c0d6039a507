/** Why something did not go well, as the service says it. */
interface Reason {
  readonly code: string;
  readonly text: string;
}

/** What codes that are not the program's own mean for whoever reads them. */
const byCode: Readonly<Record<string, string>> = {
  TIMEOUT: "It took longer than its timeout allows, and was stopped.",
  UNAVAILABLE:
    "Something that the step needs could not be reached. It may work when it is tried again.",
  DEADLINE_EXCEEDED:
    "Something that the step needs took too long to answer. It may work when it is tried again.",
  NOT_FOUND: "Something that the step names does not exist.",
  PERMISSION_DENIED: "The step asks for something that it may not use.",
  UNAUTHENTICATED:
    "A registry or service did not accept who asked: its operator has to look at the credentials.",
  INVALID_ARGUMENT:
    "The job asks for something that makes no sense as written.",
  FAILED_PRECONDITION: "Something that the step needs is not as it has to be.",
  RESOURCE_EXHAUSTED: "A limit was reached, or there was no room left.",
  UNIMPLEMENTED: "The engine cannot do what the step asks for.",
  DATA_LOSS: "Data of the job is gone or damaged.",
  INTERNAL: "berth or the engine made a mistake: its operator should be told.",
  UNKNOWN: "It is not known why.",
};

const signals: Readonly<Record<number, string>> = {
  2: "interrupted (SIGINT)",
  6: "ended by its own abort (SIGABRT)",
  7: "stopped for a wrong memory access (SIGBUS)",
  8: "stopped for a wrong calculation (SIGFPE)",
  9: "killed (SIGKILL), perhaps for want of memory",
  11: "stopped for a wrong memory access (SIGSEGV)",
  13: "stopped since nobody read its output (SIGPIPE)",
  15: "asked to end (SIGTERM)",
};

/**
 * Why something failed, in sentences: what the service says, and what that
 * means. `exitCode` is the program's, where it is known.
 */
export function explainReason(
  { code, text }: Reason,
  exitCode?: number,
): readonly string[] {
  const said = /[.!?]$/.test(text) ? text : `${text}.`;
  const meaning =
    code === "EXIT_CODE" ? ofExitCode(exitCode) : (byCode[code] ?? undefined);
  return meaning === undefined ? [said] : [said, meaning];
}

function ofExitCode(exitCode: number | undefined): string | undefined {
  switch (exitCode) {
    case undefined:
      return undefined;
    case 126:
      return "By custom this means that the program was found, but could not be run.";
    case 127:
      return "By custom this means that the program was not found in the image.";
    default: {
      const signal = signals[exitCode - 128];
      return signal === undefined
        ? "Its log should say why."
        : `By custom this means that the program was ${signal}.`;
    }
  }
}
