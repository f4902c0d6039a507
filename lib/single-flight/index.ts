export { ReportingFlights, type Waiter } from "./reporting-flights.js";
export { SingleFlight } from "./single-flight.js";
