import Legato
import LegatoAudio
import LegatoModels

let package = try ModelPackage(path: "Models/legato-first")
let session = Session(package, options: package.options(seed: 7), threads: 2)
let file = try WAVWriter("example.wav", sampleRate: session.sampleRate, channels: session.channels)
for try await chunk in session.stream(seconds: 10) {
  try file.append(chunk.channels)  // planar samples in ±1: play them instead, if you like
}
try file.finish()
