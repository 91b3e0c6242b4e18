// Passkeys need a script: it asks the device, puts the answer into the form and sends the form.

const decode = (text) => {
  const padded = text.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(padded), (each) => each.charCodeAt(0));
};

const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

const fetchOptions = async (form) => {
  const answer = await fetch(form.dataset.options, {
    method: "POST",
    headers: { Accept: "application/json", "X-Form-Token": form.elements.form_token.value },
  });
  if (!answer.ok) throw new Error((await answer.json()).text);
  return answer.json();
};

const describe = (credential) => {
  const response = { clientDataJSON: encode(credential.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = encode(credential.response[name]);
  }
  const { id, type } = credential;
  const clientExtensionResults = credential.getClientExtensionResults();
  return JSON.stringify({ id, rawId: encode(credential.rawId), type, response, clientExtensionResults });
};

const ask = {
  create: (options) => {
    options.challenge = decode(options.challenge);
    options.user.id = decode(options.user.id);
    for (const each of options.excludeCredentials ?? []) each.id = decode(each.id);
    return navigator.credentials.create({ publicKey: options });
  },
  get: (options) => {
    options.challenge = decode(options.challenge);
    return navigator.credentials.get({ publicKey: options });
  },
};

for (const form of document.querySelectorAll("[data-passkey]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    const problem = form.querySelector("[role=alert]");
    problem.textContent = "";
    if (!window.PublicKeyCredential) {
      problem.textContent = form.dataset.impossible;
      return;
    }
    try {
      const credential = await ask[form.dataset.passkey](await fetchOptions(form));
      form.elements.credential.value = describe(credential);
      form.submit();
    } catch (error) {
      problem.textContent = error instanceof DOMException || error instanceof TypeError ? form.dataset.failed : error.message;
    }
  });
}
