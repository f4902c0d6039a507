/** Jobs to begin with. */
export const examples: readonly {
  readonly title: string;
  readonly text: string;
}[] = [
  {
    title: "Three steps, one after the other",
    text: `name: word-count
steps:
  - name: write
    image: docker.io/library/busybox:latest
    command: |
      for i in 1 2 3 4 5; do
        echo "the quick brown fox $i"
        sleep 1
      done

  - name: count
    image: docker.io/library/busybox:latest
    stdin: write              # reads what "write" wrote
    command: tr ' ' '\\n' | sort | uniq -c > /counts
    outputs:
      - { name: counts, path: /counts }

  - name: top
    image: docker.io/library/busybox:latest
    inputs:
      - { from: count/counts, path: /in/counts }
    command: sort -rn /in/counts | head -3
`,
  },
  {
    title: "Steps side by side",
    text: `name: fan-out
cache: true                   # what has not changed is not run again
steps:
  - name: fetch
    image: docker.io/library/busybox:latest
    command: seq 1 1000

  - name: even
    image: docker.io/library/busybox:latest
    stdin: fetch
    command: grep -c '[02468]$'

  - name: odd
    image: docker.io/library/busybox:latest
    stdin: fetch
    command: grep -c '[13579]$'

  - name: report
    image: docker.io/library/busybox:latest
    inputs:
      - { from: even, path: /in/even }
      - { from: odd, path: /in/odd }
    command: paste /in/even /in/odd
`,
  },
  {
    title: "One step, as JSON",
    text: `{
  "name": "hello",
  "labels": { "team": "docs" },
  "steps": [
    {
      "image": "docker.io/library/busybox:latest",
      "environment": { "WHO": "world" },
      "command": "echo hello $WHO"
    }
  ]
}
`,
  },
];
