// A mini program that is opened again: a new process with the storage of an earlier one, which changes the profile
// without logging in. Its settings are JSON in the argument; it prints the result as JSON.
import { loadWxappSdk } from "./sdks.mjs";
import { Phone, takeUp } from "./wx.mjs";

const { client, storageFile, updates } = JSON.parse(process.argv[2]);
const phone = takeUp(
  new Phone({
    storageFile,
    login: () => {
      throw new Error("the mini program logged in again");
    },
  }),
);
const { AuthenticationClient } = loadWxappSdk();
const user = await new AuthenticationClient(client).updateProfile(updates);
console.log(JSON.stringify({ user, urls: phone.calls.map(({ url }) => url) }));
