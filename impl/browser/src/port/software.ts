/** Name and version of this client, for people who read logs. */
export const SOFTWARE = "p2claw-browser/0.1.0";
