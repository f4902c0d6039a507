import { pino } from "pino";

/** Values of a log line beside its text; see style: text constant, values here. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Where events go. A value that is passed in, never global. Fields must hold
 * no credentials, no environment of actions, no file contents.
 */
export interface Logger {
  /** For looking closely; off by default. */
  debug(text: string, fields?: LogFields): void;
  /** Lifecycle, and at most one line per request. */
  info(text: string, fields?: LogFields): void;
  /** Degraded, and what was done instead; once per cause. */
  warn(text: string, fields?: LogFields): void;
  /** Someone must look. */
  error(text: string, fields?: LogFields): void;
  /** A logger that adds these fields to every line. */
  with(fields: LogFields): Logger;
}

/** The levels, from most to least. */
export const logLevels = ["debug", "info", "warn", "error"] as const;

/** How much is written: this level and what is graver. */
export type LogLevel = (typeof logLevels)[number];

/**
 * A logger that writes one JSON object a line to standard error, with the
 * time in ISO 8601 and the component that spoke.
 */
export function createLogger(options: {
  component: string;
  level: LogLevel;
}): Logger {
  const root = pino(
    {
      level: options.level,
      base: { component: options.component },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
    },
    pino.destination({ fd: 2, sync: true }), // lines before a crash count most
  );
  return loggerFromPino(root);
}

/** A logger that drops everything, for tests. */
export const silentLogger: Logger = loggerFromPino(pino({ enabled: false }));

function loggerFromPino(inner: pino.Logger): Logger {
  return {
    debug: (text, fields) => inner.debug(fields ?? {}, text),
    info: (text, fields) => inner.info(fields ?? {}, text),
    warn: (text, fields) => inner.warn(fields ?? {}, text),
    error: (text, fields) => inner.error(fields ?? {}, text),
    with: (fields) => loggerFromPino(inner.child(fields)),
  };
}
