"""Makes training batches of images and annotations: conversion, MindRecord, augmentation."""
