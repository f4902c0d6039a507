export { aborted, type ProgramContext, runProgram } from "./run-program.js";
