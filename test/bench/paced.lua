-- A request of each of 16 connections every 16 milliseconds on average: a thousand a second among them.
function delay() return math.random(1, 31) end
