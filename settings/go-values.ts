/** Whether Go parses the text as a duration, such as 10s or 2h30m: https://pkg.go.dev/time#ParseDuration */
export function isGoDuration(text: string): boolean {
  return /^[-+]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)$/.test(text);
}

/** Whether Go parses the text as true: https://pkg.go.dev/strconv#ParseBool */
export function isTrue(text: string): boolean {
  return /^(1|t|T|TRUE|true|True)$/.test(text);
}

/** Whether Go parses the text as false: https://pkg.go.dev/strconv#ParseBool */
export function isFalse(text: string): boolean {
  return /^(0|f|F|FALSE|false|False)$/.test(text);
}
