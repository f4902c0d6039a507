import { z } from "zod";
import { jobStateSchema } from "../../../../lib/job-api/index.js";

/** Of a job; anything else leads to 404. */
export const idSchema = z
  .string()
  .regex(/^[0-9A-Fa-f-]{36}$/)
  .meta({ description: "Of the job" });

/** Parameters of a job's own routes. */
export const jobParamsSchema = z.object({ id: idSchema });

const label = z
  .string()
  .max(320)
  .regex(/^[A-Za-z0-9._/-]{1,63}:/, 'must be "key:value"');

/** What a list of jobs can be asked for. */
export const listQuerySchema = z.strictObject({
  state: z
    .union([jobStateSchema, z.array(jobStateSchema).max(6)])
    .optional()
    .meta({ description: "May repeat: jobs in one of these states" }),
  name: z
    .string()
    .max(255)
    .optional()
    .meta({ description: "Jobs of exactly this name" }),
  label: z
    .union([label, z.array(label).max(16)])
    .optional()
    .meta({ description: "May repeat: jobs that have all of them" }),
  limit: z
    .string()
    .regex(/^([1-9]|[1-9]\d|[1-4]\d\d|500)$/, "must be from 1 to 500")
    .optional()
    .meta({ description: "Jobs of a page; default 50, at most 500" }),
  cursor: z
    .string()
    .max(1_024)
    .optional()
    .meta({ description: "Of the page before" }),
});

/** See listQuerySchema. */
export type ListQuery = z.infer<typeof listQuerySchema>;
