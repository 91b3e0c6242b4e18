/** QR codes from the camera and from pictures; the browser's own reader where there is one, else the vendored one. */

import { WalletError } from "./errors.js";

const MAX_PICTURE_BYTES = 20_000_000;
const MAX_SIDE_PX = 1600; // larger pictures are made smaller: a phone's 12 megapixels take seconds to search
const LOOK_EVERY_MS = 150;

/**
 * Read the QR code in a picture.
 *
 * @param {Blob} blob An image file of a kind that the browser shows.
 * @returns {Promise<string>}
 * @throws {WalletError} `scan_picture_too_large`, `scan_not_a_picture` or `scan_no_code`.
 */
export async function readPicture(blob) {
  if (blob.size > MAX_PICTURE_BYTES) throw new WalletError("scan_picture_too_large");
  const picture = await createImageBitmap(blob).catch(() => {
    throw new WalletError("scan_not_a_picture");
  });
  try {
    const read = await makeReader();
    const text = await read(picture, picture.width, picture.height);
    if (text === null) throw new WalletError("scan_no_code");
    return text;
  } finally {
    picture.close();
  }
}

/**
 * Show the camera in `video` and look for a QR code until one is found or `signal` is aborted.
 *
 * @returns {Promise<string|null>} Null once `signal` was aborted.
 * @throws {WalletError} `scan_no_camera`, `scan_camera_refused` or `scan_camera_busy`.
 */
export async function readCamera(video, signal) {
  const stream = await openCamera();
  const stop = () => stream.getTracks().forEach((track) => track.stop());
  try {
    video.srcObject = stream;
    video.muted = true;
    video.playsInline = true;
    await video.play();
    const read = await makeReader();
    while (!signal.aborted) {
      const text = video.videoWidth ? await read(video, video.videoWidth, video.videoHeight) : null;
      if (text !== null && !signal.aborted) return text;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    stop();
    video.srcObject = null;
  }
  return null;
}

const CAMERA_ERRORS = {
  NotAllowedError: "scan_camera_refused",
  SecurityError: "scan_camera_refused",
  NotReadableError: "scan_camera_busy",
};

async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) throw new WalletError("scan_no_camera");
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
  } catch (error) {
    throw new WalletError(CAMERA_ERRORS[error.name] ?? "scan_no_camera");
  }
}

/** Return a function from a picture with its width and height to the text of its code, or null. */
async function makeReader() {
  const builtIn = await findBuiltInReader();
  return async (source, width, height) => {
    if (builtIn) {
      const found = await builtIn.detect(source).catch(() => null); // fails where the system's service is absent
      if (found) return found[0]?.rawValue ?? null;
    }
    return readPixels(copyPixels(source, width, height));
  };
}

async function readPixels(pixels) {
  const { decodeQR } = await import("./vendor/qr.js");
  try {
    return decodeQR(pixels);
  } catch {
    return null; // it throws for every picture without a code
  }
}

async function findBuiltInReader() {
  const formats = (await globalThis.BarcodeDetector?.getSupportedFormats?.().catch(() => [])) ?? [];
  return formats.includes("qr_code") ? new BarcodeDetector({ formats: ["qr_code"] }) : null;
}

function copyPixels(source, width, height) {
  const scale = Math.min(1, MAX_SIDE_PX / Math.max(width, height));
  const size = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const context = new OffscreenCanvas(...size).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff"; // a transparent background would come out black
  context.fillRect(0, 0, ...size);
  context.drawImage(source, 0, 0, ...size);
  return context.getImageData(0, 0, ...size);
}
