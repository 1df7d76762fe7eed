// Ends the session of somebody who signed in with a password; clips that lay ready go back to the others.

import { post } from "./http.js";

document.getElementById("sign-out").addEventListener("click", async () => {
  await post("/api/let-go").catch(() => null);
  // Also where the server no longer knows this session, or does not answer, the next page says what to do.
  await post("/sign-out").catch(() => null);
  location.assign("/sign-in");
});
