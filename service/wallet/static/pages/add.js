export const title = "home.title";
export { show } from "./home.js";
