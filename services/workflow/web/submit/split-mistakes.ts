/** Something wrong with a submission. */
export interface SubmissionMistake {
  /** Such as "steps.0.image"; "" where it is about the whole. */
  readonly place: string;
  readonly text: string;
}

/**
 * Takes apart what the service says of a submission, which is
 * "place: text; place: text". Where it says something else, that is one text.
 */
export function splitMistakes(message: string): SubmissionMistake[] {
  // A text may hold "; " itself: only before another place is it a border.
  return message
    .split(/; (?=[\w.$/-]+: |and \d+ more$|The request: )/)
    .map((mistake) => {
      const [, place = "", text = mistake] =
        /^([a-z][\w$/-]*(?:\.[\w$/-]+)*): (.*)$/s.exec(mistake) ?? [];
      return { place, text };
    });
}
