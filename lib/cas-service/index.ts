export { createCasServices } from "./create-cas-services.js";
