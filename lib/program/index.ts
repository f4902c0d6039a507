export { distFolder, servicePath } from "./dist-folder.js";
export { aborted, type ProgramContext, runProgram } from "./run-program.js";
export {
  parseServiceArguments,
  type ServiceArguments,
} from "./service-arguments.js";
