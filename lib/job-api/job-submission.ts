import { z } from "zod";

/** Most steps, variables or entries that one list of a submission may have. */
const maximumEntries = 1_000;

/** Of one string, in characters: the kernel takes no longer argument. */
const maximumText = 2 ** 17 - 1;

const text = z.string().max(maximumText);

/** Of steps and outputs: they stand in URLs. */
const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    "must begin with a letter or digit and hold at most 63 of A-Z a-z 0-9 . _ -",
  );

const variableName = z
  .string()
  .max(1_024)
  .regex(/^[^=\0]+$/, 'must not be empty, nor hold "=" or NUL');

/** Stands before a colon in a platform property, so it must hold none. */
const secretVariable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,254}$/, "must be a name of a variable");

/** Of a file in the operator's folder; never a path. */
const secretName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/,
    "must begin with a letter or digit and hold at most 255 of A-Z a-z 0-9 . _ -",
  );

const labelName = z
  .string()
  .regex(
    /^[A-Za-z0-9._/-]{1,63}$/,
    "must hold from 1 to 63 of A-Z a-z 0-9 . _ / -",
  );

const environment = z
  .record(variableName, text)
  .refine(
    (variables) => Object.keys(variables).length <= maximumEntries,
    `must have at most ${maximumEntries} variables`,
  );

const absolutePath = z
  .string()
  .max(4_096)
  .regex(/^\/[^\0]*$/, 'must begin with "/"');

const argv = z.array(text).max(10_000);

/**
 * One of another step's outputs. As text "step" for its standard output,
 * "step/stderr", or "step/name" for what it collects.
 */
const source = z.union([
  z
    .string()
    .regex(
      /^[^/]+(\/[^/]+)?$/,
      'must be "step", "step/stderr" or "step/output"',
    ),
  z.strictObject({ step: name, output: name.default("stdout") }),
]);

/** Duration in seconds, or with a unit: 90, "90s", "15m", "2h". */
const timeout = z.union([
  z.number().positive(),
  z.string().regex(/^\d+(\.\d+)?(ms|s|m|h)$/, 'must be such as "90s" or "15m"'),
]);

/** A step of a submitted job. */
export const stepSubmissionSchema = z
  .strictObject({
    name: name.optional().meta({ description: 'Default: "step-1" and so on' }),
    image: z
      .string()
      .min(1)
      .max(1_024)
      .meta({ description: "Image reference; a tag is resolved once" }),
    refresh: z
      .boolean()
      .default(false)
      .meta({ description: "Look a tag up again although it is known" }),
    entrypoint: argv.optional().meta({
      description: "Instead of the image's Entrypoint and Cmd",
    }),
    command: z.union([argv, text]).optional().meta({
      description:
        'Instead of the image\'s Cmd; a text is run by "/bin/sh -c", instead of the Entrypoint, too',
    }),
    environment: environment.default({}),
    secrets: z
      .record(secretVariable, secretName)
      .default({})
      .meta({ description: "Variable: name of a secret on the worker" }),
    user: z.string().max(255).optional().meta({
      description: "Instead of the image's User: names or numbers",
    }),
    workingDirectory: absolutePath.optional(),
    network: z.enum(["host", "none"]).optional(),
    needs: z.array(name).max(maximumEntries).optional().meta({
      description:
        "Steps that must have succeeded before; default: those whose data it uses and, if there are none, the step written before it",
    }),
    stdin: source.optional().meta({
      description: "Output of another step, for the program's standard input",
    }),
    inputs: z
      .array(z.strictObject({ from: source, path: absolutePath }))
      .max(maximumEntries)
      .default([])
      .meta({
        description: "Outputs of other steps, to be found at these paths",
      }),
    outputs: z
      .array(z.strictObject({ name, path: absolutePath }))
      .max(maximumEntries)
      .default([])
      .meta({
        description:
          'What is kept of its root at its end; a path that ends in "/" is a directory',
      }),
    cache: z.boolean().optional().meta({
      description: "Overrules the job's",
    }),
    retry: z.enum(["infrastructure", "never"]).default("infrastructure").meta({
      description:
        '"never": not begun again when it is unknown how an attempt ended',
    }),
    timeout: timeout.optional(),
  })
  .meta({ id: "StepSubmission" });

/** A submitted job (POST /v1/jobs). */
export const jobSubmissionSchema = z
  .strictObject({
    name: z.string().min(1).max(255).optional(),
    labels: z.record(labelName, z.string().max(255)).default({}),
    environment: environment.default({}).meta({
      description: "For every step, under its own",
    }),
    cache: z.boolean().default(false).meta({
      description:
        "Whether results in the action cache will do, and are kept there",
    }),
    steps: z.array(stepSubmissionSchema).min(1).max(maximumEntries),
  })
  .meta({ id: "JobSubmission" });

/** A job as it is submitted, its defaults filled in. */
export type JobSubmission = z.infer<typeof jobSubmissionSchema>;

/** A step of it. */
export type StepSubmission = z.infer<typeof stepSubmissionSchema>;
